-- One row per payment file that counts, with its control total; all sources that offer the shape, shadow sources left out.
{{ config(materialized='view') }}
{{ union_staged('payment_files') }}
