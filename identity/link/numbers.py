"""Whose a sound identity number is: its owner is the name most records put beside it; other names lose it.

A number is never believed alone: under a name that does not agree with the owner's it is a relative's, or mistyped.
"""

from __future__ import annotations

import duckdb


def settle_numbers(connection: duckdb.DuckDBPyConnection) -> None:
    """Take ``number`` and ``id_no`` from the rows of ``records`` whose name does not agree with the number's owner.

    Records count by how well their birth date and sex agree with the number; where two names claim it equally, nobody
    has it.
    """
    connection.execute(
        """
        CREATE OR REPLACE TABLE claims AS
        SELECT number, name, any_value(sound) AS sound,
               sum(1 + 2 * (typed_birth IS NOT DISTINCT FROM substr(number, 7, 8))::INT
                   - 4 * coalesce((sex <> sex_of_number(number))::INT, 0)) AS points
        FROM records WHERE number IS NOT NULL AND name IS NOT NULL GROUP BY number, name;
        CREATE OR REPLACE TABLE strangers_to_number AS
        WITH best AS (
            SELECT number, name, sound, points FROM claims
            QUALIFY row_number() OVER (PARTITION BY number ORDER BY points DESC, name) = 1
                AND count(*) OVER (PARTITION BY number) > 1
        ),
        rivals AS (
            SELECT c.number, c.name, c.points >= b.points AS is_equal, b.name AS owner
            FROM best AS b JOIN claims AS c ON c.number = b.number AND c.name <> b.name
            WHERE coalesce(name_agreement(b.name, b.sound, c.name, c.sound), 'none') IN ('none', 'one_char_of_two')
        )
        SELECT number, name FROM rivals
        UNION SELECT number, owner FROM rivals WHERE is_equal;
        UPDATE records SET number = NULL, id_no = NULL, birth = typed_birth, birth_year = typed_birth_year
        FROM strangers_to_number AS s WHERE records.number = s.number AND records.name = s.name
        """
    )
