-- marketing.sql: a third system, which shares no key with anybody. Run after
-- declare.sql; until then golden.customer is made of the CRM and the ERP alone.

-- Whoever signed up is no customer yet: an entry that is like nobody waits for one
-- (creates => false). Golden values come from the CRM and the ERP first.
-- Two numbers in the CRM are two customers, however alike (one_per_system); for
-- that, who signed up twice is found once, and the other entry waits for people.
SELECT ssot.create_system('marketing', owner => 'marketing', description => 'Mailing list');
SELECT ssot.create_source('golden.customer', 'marketing', 'bronze.marketing_list',
       key        => 'entry',
       creates    => false,
       fields     => '{"first_name": "ssot.normalize_text(first_name)",
                       "last_name": "ssot.normalize_text(last_name)",
                       "birth_date": "born",
                       "country": "ssot.normalize_country(country)"}',
       how        => 'Export of the mailing tool, typed by the people themselves.');
SELECT ssot.set_matching('golden.customer',
       compare => '{"name": {"kind": "person_name", "fields": ["first_name", "last_name"]},
                    "birth_date": "date", "country": "exact"}',
       one_per_system => true);
