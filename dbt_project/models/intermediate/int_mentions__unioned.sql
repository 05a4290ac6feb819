-- One row per mention of a person in a source record, withdrawn ones too; all sources but shadow sources.
{{ config(materialized='view') }}
{{ union_staged('mentions') }}
