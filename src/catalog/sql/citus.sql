-- Whether the extension Citus is installed.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')
