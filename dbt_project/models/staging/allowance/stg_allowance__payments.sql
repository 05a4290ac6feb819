-- One row per payment: what was paid to whom for which months, failed ones included and marked.
with payments as (

    select
        'allowance/payment/' || source_record_id || '/payee' as mention_key,
        household_key,
        'allowance' as source_system,
        'payment' as source_table,
        source_record_id,
        managing_district,
        {{ standardise_reference_no('payment_no') }} as payment_no,
        benefit,
        {{ first_of_month('period_from') }} as period_from,
        coalesce(months, 1) as month_count,
        amount as amount_yuan,
        paid_on,
        coalesce(status, 'paid') = 'failed' as is_failed,
        delivered_month
    from {{ ref('stg_allowance__disbursements') }}

)

select {{ shape_columns('payments') }}
from payments
