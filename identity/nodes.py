"""Collapse mentions into nodes and describe each node by what all its mentions say (its profile)."""

from __future__ import annotations

import duckdb

from identity import thresholds
from identity.content_id import content_id
from identity.decisions import create_decided_pairs, separate_decided
from identity.mention import MOSTLY_SHORT
from warehouse.digest import digest, if_long

# What holds the mentions of a node together; ``create_node_members`` says how.
KINDS = ("anchor", "conflict", "document", "residual", "withdrawn")

# What a node's mentions say, each value once: the profile's column and the mention's value.
_GATHERED = {
    "names": "name", "sounds": "sound", "damaged": "damaged_id_no",
    # A number tells its owner's year of birth as well as a record does.
    "birth_years": "year(coalesce(birth_date, CASE WHEN kind = 'anchor' THEN number_birth END))",
    "certificates": "certificate_id_no", "documents": "other_document_no", "addresses": "address",
    "accounts": "bank_account", "households": "household_key",
}  # fmt: skip

# A node whose mentions bear one name has no list of it.
_NAMES = ("names", "sounds")
# All that a mention says, but for its sex, and its sound, which follows from the name.
_SAID = {column: value for column, value in _GATHERED.items() if column != "sounds"} | {
    "born": "born", "number_birth": "CASE WHEN kind = 'anchor' THEN number_birth END",
    "hukou": "hukou_district", "managing": "managing_district", "phones": "CASE WHEN len(phones) > 0 THEN phones END",
}  # fmt: skip
_BORN = "coalesce(birth_day, CASE WHEN kind = 'anchor' THEN number_birth END)"
# By what mentions of one node are told to say the same: numbers and days, for the least of many texts is slow to find.
# Else by a digest of the text. What a sound number tells is the same for all that agree with its owner.
_COMPARED = {column: _SAID[column] for column in ("birth_years", "born")} | {
    "names": "name_number", "number_birth": "NULL", "households": "household",
    "phones": f"CASE WHEN len(phones) > 0 THEN {digest(['phones'], [MOSTLY_SHORT['phones']])} END",
}  # fmt: skip
_SEX_OF_ONE = "CASE WHEN kind = 'anchor' THEN number_sex WHEN sex IN ('male', 'female') THEN sex END"
_SEX_OF_MANY = """CASE WHEN any_value(kind) = 'anchor' THEN min(number_sex)
    WHEN bool_and(sex = 'male') FILTER (sex IN ('male', 'female')) THEN 'male'
    WHEN bool_and(sex = 'female') FILTER (sex IN ('male', 'female')) THEN 'female' END"""

# What makes two mentions that no sound number holds together one node. Who died is never one with who did something:
# the clustering asks whether the act came after the death.
_KEY_OF_KIND = """CASE WHEN role = 'deceased' THEN 'x|' ELSE '' END || CASE kind
                WHEN 'conflict' THEN 'conflict|' || id_no || '|' || sound
                WHEN 'document' THEN 'document|' || other_document_no || '|' || sound
                ELSE concat_ws('|', kind, name, 'n', damaged_id_no, 'c', certificate_id_no, 'd', other_document_no,
                    'i', id_no, 'b', birth_date, birth_date_precision, 's', sex,
                    'p', coalesce(household_key, 'a' || bank_account,
                                  CASE WHEN len(phones) > 0 THEN array_to_string(phones, '/') END,
                                  birth_day || address, mention_key),
                    CASE WHEN is_named_twice THEN mention_key END) END"""

# Which mentions speak for their node: a void record only where nothing else is known.
_SPEAKS = "name IS NOT NULL AND (NOT is_withdrawn OR kind = 'withdrawn')"
_NOT_OWNED = "NOT starts_with(reason, 'id')"


def create_nodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Collapse the mentions and create the view ``profiles``, one row per node, and ``kin_lists``."""
    create_node_members(connection)
    number_nodes(connection)
    create_decided_pairs(connection)
    describe_nodes(connection)
    # Rows this wide are made once, where they end up.
    connection.execute("CREATE OR REPLACE VIEW profiles AS FROM profile_rows")
    # Most stand alone on their record: they have no company.
    shared = " OR ".join(
        f"""{company} IN (SELECT {company} FROM mentions WHERE {company} IS NOT NULL
                          GROUP BY {company} HAVING count(*) > 1)"""
        for company in ("record", "household")
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE placed_names AS
        SELECT record, household, node, kind, name, is_withdrawn
        FROM mention_nodes WHERE node IS NOT NULL AND ({shared});
        CREATE OR REPLACE TEMP VIEW stood_beside AS {stood_beside("placed_names")}
        """
    )
    find_kin(connection)


def likely_nodes() -> str:
    """SQL: the node that most of the mentions without a number will be in, as far as their own row tells."""
    return f"""
        SELECT {content_id(_KEY_OF_KIND)} AS node FROM (
            SELECT *, CASE WHEN is_withdrawn THEN 'withdrawn' ELSE 'residual' END AS kind, name AS sound,
                   false AS is_named_twice
            FROM mentions WHERE id_no IS NULL AND name IS NOT NULL
        )
    """


def create_node_members(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``unsettled_members``: one row per named mention that is not settled, with its node. The others are in the
    node of their number.

    Kinds: anchor (a sound number and the names that agree with it), conflict (a sound number under a name that does not
    agree), document (another identity document), residual (everything else), withdrawn (void records only).
    A household's months, an account's payments and a phone's repetitions are one residual node each.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE unowned AS
        SELECT m.*, l.reason, s.sound,
            CASE
                WHEN m.is_withdrawn THEN 'withdrawn'
                WHEN starts_with(l.reason, 'conflict') AND l.reason <> 'conflict:placeholder' THEN 'conflict'
                WHEN m.other_document_no IS NOT NULL THEN 'document'
                ELSE 'residual'
            END AS kind
        FROM unsettled AS m
        LEFT JOIN (SELECT mention, reason FROM number_judgements WHERE {_NOT_OWNED}) AS l USING (mention)
        LEFT JOIN sounds AS s USING (name)
        WHERE m.name IS NOT NULL AND (m.id_no IS NULL OR l.reason IS NOT NULL);
        CREATE OR REPLACE TABLE unsettled_members AS
        WITH named_twice AS (
            SELECT record AS company, name_number FROM mentions
            WHERE name_number IS NOT NULL AND record IN (SELECT record FROM unowned)
            GROUP BY ALL HAVING count(*) > 1
            UNION
            SELECT file, name_number FROM mentions
            WHERE name_number IS NOT NULL AND file IN (SELECT file FROM unowned)
            GROUP BY ALL HAVING count(*) > 1
        )
        SELECT mention, m.is_withdrawn, 'anchor' AS kind, l.reason, m.anchor AS node
        FROM number_judgements AS l JOIN (SELECT mention, is_withdrawn, anchor FROM mentions) AS m USING (mention)
        WHERE NOT ({_NOT_OWNED})
        UNION ALL
        SELECT mention, is_withdrawn, kind, reason, {content_id(_KEY_OF_KIND)} FROM (
            SELECT *, (record, name_number) IN (FROM named_twice)
                      OR coalesce((file, name_number) IN (FROM named_twice), false) AS is_named_twice
            FROM unowned
        );
        DROP TABLE unowned
        """
    )
    separate_decided(connection)


def number_nodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the views ``node_of``, one row per member, and ``mention_nodes``, every mention with its node, if any.

    What is not settled is in ``unsettled_nodes`` (node, kind) and ``unsettled_node_of``, from ``unsettled_members``.

    A member's own kind is ``said_kind``: it may found what all void records together do not.
    """
    # A node whose mentions are all withdrawn founds nothing, whatever number they carry.
    connection.execute(
        """
        CREATE OR REPLACE TABLE unsettled_nodes AS
        SELECT node, CASE WHEN bool_and(is_withdrawn) THEN 'withdrawn' ELSE any_value(kind) END AS kind
        FROM unsettled_members GROUP BY node;
        CREATE OR REPLACE TABLE unsettled_node_of AS
        SELECT mention, node, n.kind, is_withdrawn, reason, m.kind AS said_kind
        FROM unsettled_members AS m JOIN unsettled_nodes AS n USING (node);
        CREATE OR REPLACE VIEW node_of AS
        SELECT mention, anchor AS node, 'anchor' AS kind, is_withdrawn, 'id' AS reason, 'anchor' AS said_kind
        FROM settled
        UNION ALL FROM unsettled_node_of;
        CREATE OR REPLACE VIEW unsettled_mention_nodes AS
        SELECT m.*, o.node, o.kind, o.reason, o.said_kind
        FROM unsettled AS m LEFT JOIN unsettled_node_of AS o USING (mention);
        CREATE OR REPLACE VIEW mention_nodes AS
        SELECT *, anchor AS node, 'anchor' AS kind, 'id' AS reason, 'anchor' AS said_kind FROM settled
        UNION ALL FROM unsettled_mention_nodes
        """
    )


def describe_nodes(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the view ``profile_rows``, one row per node of ``node_of``.

    Lists are sorted, so that neither row order nor threads change them.

    The mentions of most nodes say one thing in each column, and gathering values in lists is most of the work: it is
    done for the others only. Lists of names and of their sounds are null where all else is even, too.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP VIEW told AS
        SELECT *, {_BORN} AS born FROM mention_nodes WHERE node IS NOT NULL AND {_SPEAKS};
        CREATE OR REPLACE TEMP TABLE sizes AS
        SELECT anchor AS node, mention_count FROM settled_numbers
        UNION ALL
        SELECT node, count(*) FROM unsettled_mention_nodes WHERE node IS NOT NULL AND {_SPEAKS} GROUP BY node;
        CREATE OR REPLACE TEMP TABLE said_often AS
        SELECT node, any_value(kind) AS kind, any_value(mention_count) AS mention_count,
               arg_min(mention_key, mention) AS first_key, min(id_no) AS own_number,
               {", ".join(f"any_value({value}) AS one_{column}" for column, value in _SAID.items())},
               {_SEX_OF_MANY} AS sex, {" AND ".join(_agree(column) for column in _SAID)} AS is_even
        FROM ({_said("sizes WHERE mention_count > 1")}) GROUP BY node;
        CREATE OR REPLACE TEMP TABLE uneven AS
        WITH said AS MATERIALIZED (
            SELECT d.*, sound FROM ({_said("said_often WHERE NOT is_even")}) AS d JOIN sounds USING (name)
        ),
        main_names AS (
            SELECT node, name FROM said GROUP BY node, name
            QUALIFY row_number() OVER (PARTITION BY node ORDER BY count(*) DESC, name) = 1
        )
        SELECT * FROM (SELECT node, {_gathered()} FROM said GROUP BY node) JOIN main_names USING (node);
        CREATE OR REPLACE TEMP VIEW profile_rows AS
        WITH even AS (
            SELECT node, kind, mention_count, mention_key AS first_key, id_no AS own_number,
                   {", ".join(f"{value} AS one_{column}" for column, value in _SAID.items())}, {_SEX_OF_ONE} AS sex
            FROM told JOIN sizes USING (node) WHERE mention_count = 1
            UNION ALL SELECT * EXCLUDE (is_even) FROM said_often WHERE is_even
        )
        SELECT node, kind, mention_count, first_key, own_number, one_names AS name,
               {", ".join(f"{_listed(f'one_{column}')} AS {column}" for column in _GATHERED if column not in _NAMES)},
               {_listed("one_born", "one_number_birth")} AS birth_days, sex, coalesce(one_phones, []) AS phones,
               {_listed("one_hukou", "one_managing")} AS districts
        FROM even
        UNION ALL BY NAME
        SELECT node, kind, mention_count, first_key, own_number, u.* EXCLUDE (node), sex
        FROM said_often JOIN uneven AS u USING (node)
        """
    )


def _said(nodes: str) -> str:
    """SQL: what every mention says that speaks for one of ``nodes``, a relation of nodes and their mention counts."""
    return f"SELECT told.*, mention_count FROM told JOIN (SELECT node, mention_count FROM {nodes}) USING (node)"


def _agree(column: str) -> str:
    """SQL aggregate: whether the mentions of a group say no two things in a column of ``_SAID``."""
    value = _SAID[column]
    compared = _COMPARED.get(column, f"CASE WHEN {value} IS NOT NULL THEN {digest([value], [if_long(value)])} END")
    return f"min({compared}) IS NOT DISTINCT FROM max({compared})"


def _gathered() -> str:
    """SQL aggregates: lists of all that the mentions of a node say."""
    lists = ", ".join(
        f"coalesce(list_sort(list_distinct(list({value}) FILTER ({value} IS NOT NULL))), []) AS {column}"
        for column, value in _GATHERED.items()
    )
    return f"""{lists},
        coalesce(list_sort(list_distinct(list_concat(
            list(born) FILTER (born IS NOT NULL), list(number_birth) FILTER (kind = 'anchor')))), []) AS birth_days,
        coalesce(list_sort(list_distinct(flatten(list(phones) FILTER (len(phones) > 0)))), []) AS phones,
        list_sort(list_distinct(list_concat(list(hukou_district), list(managing_district)))) AS districts"""


def _listed(value: str, other: str | None = None) -> str:
    """SQL: the sorted list of one or two values without nulls and repetitions."""
    one = f"WHEN {value} IS NULL THEN [] ELSE [{value}] END"
    if other is None:
        return f"CASE {one}"
    return f"""CASE WHEN {other} IS NOT NULL AND {value} IS NULL THEN [{other}] WHEN {value} < {other}
        THEN [{value}, {other}] WHEN {value} > {other} THEN [{other}, {value}] {one}"""


def stood_beside(placed: str, companies: str = "") -> str:
    """SQL: company (a record or a household), node, kind of the node, name.

    ``placed`` has one row per mention: its record and household, node, kind of the node, name, is_withdrawn;
    ``companies``, a relation of companies, narrows it.
    """
    known = f"IN (SELECT company FROM {companies})" if companies else "IS NOT NULL"
    found = " UNION ALL ".join(
        f"""SELECT {company} AS company, node, kind, name FROM {placed}
            WHERE {company} {known} AND {_SPEAKS}"""
        for company in ("record", "household")
    )
    return f"SELECT DISTINCT * FROM ({found})"


def find_kin(connection: duckdb.DuckDBPyConnection) -> None:
    """Create ``kin_lists``: anchors and sounds named beside a node, by ``stood_beside``, in ``kin`` and ``kin_sounds``.

    Most have one companion: ``one_kin`` and ``one_kin_sound`` become lists where the node's row is made.
    """
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE company AS
        SELECT * FROM stood_beside SEMI JOIN (
            SELECT company FROM stood_beside GROUP BY company
            HAVING count(*) BETWEEN 2 AND {thresholds.KIN_GROUP_LIMIT}
        ) USING (company);
        CREATE OR REPLACE TABLE kin_lists AS
        WITH named AS MATERIALIZED (
            SELECT company, node, CASE WHEN kind = 'anchor' THEN node END AS anchor, name, sound
            FROM company JOIN sounds USING (name)
        ),
        beside AS (
            SELECT a.node, b.anchor, b.sound
            FROM named AS a JOIN named AS b ON a.company = b.company AND a.node <> b.node AND a.name <> b.name
        )
        SELECT node,
               CASE WHEN count(*) > 1 THEN list_sort(list_distinct(list(anchor) FILTER (anchor IS NOT NULL))) END
               AS kin,
               CASE WHEN count(*) > 1 THEN list_sort(list_distinct(list(sound))) END AS kin_sounds,
               CASE WHEN count(*) = 1 THEN any_value(anchor) END AS one_kin,
               CASE WHEN count(*) = 1 THEN any_value(sound) END AS one_kin_sound
        FROM beside GROUP BY node
        """
    )
