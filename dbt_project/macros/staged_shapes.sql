{#
    The shapes in which staging hands facts to the rooms behind it. A source's staging offers any of them as a model
    `stg_<source>__<shape>` with exactly these columns; everything after staging speaks of shapes and never of sources.
    Types are ANSI names that dbt's adapters understand. `mention_key` is
    '<source_system>/<source_table>/<source_record_id>/<role>'.
#}
{% macro staged_shapes() %}
{{ return({
    'mentions': {
        'mention_key': 'varchar', 'record_key': 'varchar',
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar', 'role': 'varchar',
        'is_withdrawn': 'boolean',
        'raw_name': 'varchar', 'name': 'varchar', 'is_name_repaired': 'boolean',
        'raw_id_no': 'varchar', 'id_no': 'varchar', 'id_no_status': 'varchar', 'damaged_id_no': 'varchar',
        'other_document_no': 'varchar', 'certificate_id_no': 'varchar',
        'birth_date': 'date', 'birth_date_precision': 'varchar', 'sex': 'varchar',
        'phones': 'varchar[]', 'address': 'varchar', 'is_address_repaired': 'boolean',
        'hukou_district': 'varchar', 'managing_district': 'varchar',
        'bank_account': 'varchar', 'household_key': 'varchar',
        'said_on': 'date', 'seen_at': 'timestamptz', 'delivery_id': 'varchar'
    },
    'events': {
        'mention_key': 'varchar', 'partner_mention_key': 'varchar',
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar', 'is_withdrawn': 'boolean',
        'event_type': 'varchar', 'event_date': 'date', 'date_precision': 'varchar',
        'certificate_no': 'varchar', 'refers_to_no': 'varchar', 'office_district': 'varchar', 'act_code': 'varchar',
        'attributes': 'varchar', 'seen_at': 'timestamptz'
    },
    'payments': {
        'mention_key': 'varchar', 'household_key': 'varchar',
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar',
        'managing_district': 'varchar', 'payment_no': 'varchar', 'benefit': 'varchar',
        'period_from': 'date', 'month_count': 'integer', 'amount_yuan': 'decimal(14,2)', 'paid_on': 'date',
        'is_failed': 'boolean', 'delivered_month': 'date'
    },
    'payment_files': {
        'delivery_id': 'varchar', 'source_system': 'varchar', 'managing_district': 'varchar', 'delivered_month': 'date',
        'rows_read': 'bigint', 'control_rows': 'bigint', 'control_sum_yuan': 'decimal(18,2)',
        'rows_quarantined': 'bigint', 'quarantined_yuan': 'decimal(18,2)',
        'rows_superseded': 'bigint', 'superseded_yuan': 'decimal(18,2)', 'rows_repeated': 'bigint'
    },
    'household_months': {
        'household_key': 'varchar', 'household_month': 'date', 'managing_district': 'varchar', 'mention_key': 'varchar',
        'benefit': 'varchar', 'mode': 'varchar', 'insured_count': 'integer', 'approved_from': 'date',
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar'
    },
    'household_members': {
        'household_key': 'varchar', 'household_month': 'date', 'managing_district': 'varchar', 'mention_key': 'varchar',
        'relation': 'varchar', 'is_insured': 'boolean',
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar'
    },
    'bed_stays': {
        'mention_key': 'varchar', 'institution_id': 'varchar',
        'checked_in_on': 'date', 'checked_out_on': 'date', 'checkout_reason': 'varchar', 'subsidy_month_yuan': 'decimal(12,2)',
        'is_withdrawn': 'boolean', 'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar'
    },
    'care_visits': {
        'mention_key': 'varchar', 'visited_on': 'date', 'kind': 'varchar', 'subsidy_yuan': 'decimal(12,2)', 'entered_at': 'timestamp',
        'is_withdrawn': 'boolean', 'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar'
    },
    'care_registrations': {
        'mention_key': 'varchar', 'managing_district': 'varchar', 'hukou_district': 'varchar',
        'is_key_target': 'boolean', 'is_living_alone': 'boolean', 'status': 'varchar', 'is_withdrawn': 'boolean',
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar'
    },
    'institutions': {
        'institution_id': 'varchar', 'institution_name': 'varchar', 'managing_district': 'varchar', 'licensed_beds': 'integer',
        'ownership': 'varchar', 'is_withdrawn': 'boolean', 'source_system': 'varchar'
    },
    'relations': {
        'mention_key': 'varchar', 'related_mention_key': 'varchar', 'relation': 'varchar',
        'valid_from': 'date', 'valid_to': 'date', 'is_withdrawn': 'boolean', 'source_system': 'varchar'
    },
    'declarations': {
        'mention_key': 'varchar', 'attribute': 'varchar', 'value': 'varchar', 'said_on': 'date', 'is_withdrawn': 'boolean',
        'source_system': 'varchar', 'source_table': 'varchar', 'source_record_id': 'varchar'
    }
}) }}
{% endmacro %}
