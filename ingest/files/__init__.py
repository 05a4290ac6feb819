"""District files: a local folder or an SFTP server, CSV and spreadsheets, read as delivered."""

from ingest.files.delivered import FileChunk, FileFacts
from ingest.files.read import read_deliveries

__all__ = ["FileChunk", "FileFacts", "read_deliveries"]
