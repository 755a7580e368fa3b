-- Ends with the transaction. The settings of the login role are made for requests: those that end statements and sessions
-- would keep the server from reading a catalog. Which of them there are depends on PostgreSQL's version. A lock is waited
-- for as long as this says: what fails for it is tried again.
SELECT pg_catalog.set_config(name, CASE name WHEN 'lock_timeout' THEN '5000' ELSE '0' END, true)
FROM pg_catalog.pg_settings
WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['statement_timeout', 'lock_timeout', 'transaction_timeout',
    'idle_in_transaction_session_timeout'])
