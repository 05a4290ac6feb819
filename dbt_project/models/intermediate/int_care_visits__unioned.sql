-- One row per care visit record; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('care_visits') }}
