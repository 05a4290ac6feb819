-- One row per relation that a source record states between two mentions; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('relations') }}
