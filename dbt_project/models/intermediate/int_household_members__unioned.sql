-- One row per member row of a household and month; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('household_members') }}
