"""The bottom room: where data live, how DuckDB is opened, how a candidate becomes a published snapshot."""
