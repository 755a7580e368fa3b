-- Whose catalog is read, in which state: what differs from one start of PostgreSQL, one reload of its configuration or
-- one session to another; and the oldest transaction that may not have ended, and the next one.
SELECT current_setting('server_version_num')::int4,
       concat_ws(' ', pg_postmaster_start_time(), pg_conf_load_time(), inet_server_addr(), inet_server_port(),
           pg_is_in_recovery(), quote_ident(session_user), (SELECT oid FROM pg_database WHERE datname = current_database()),
           (SELECT string_agg(concat_ws(' ', setrole, setdatabase, setconfig::text), ' ' ORDER BY setrole, setdatabase)
            FROM pg_db_role_setting
            LEFT JOIN pg_database d ON d.oid = setdatabase
            LEFT JOIN pg_roles r ON r.oid = setrole
            WHERE (setdatabase = 0 OR d.datname = current_database()) AND (setrole = 0 OR r.rolname = session_user))),
       pg_snapshot_xmin(pg_current_snapshot())::text::int8,
       pg_snapshot_xmax(pg_current_snapshot())::text::int8
