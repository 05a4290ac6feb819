-- One row per mention of a person in a source record, withdrawn ones too; all sources but shadow sources.
-- A table and not a view: identity and golden read it many times.
{{ union_staged('mentions') }}
