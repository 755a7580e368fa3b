-- The roles that requests can run as: the anonymous role $1, and those that the login role was granted, directly or
-- not. Predefined roles are not told: whoever is a member of one has its rights and is told instead. From PostgreSQL 16
-- on a membership may forbid SET ROLE; before that, there is no such column.
WITH RECURSIVE reachable (oid) AS (
    SELECT oid FROM pg_roles WHERE rolname = session_user
    UNION
    SELECT m.roleid
    FROM reachable r
    JOIN pg_auth_members m ON m.member = r.oid
    WHERE coalesce((to_jsonb(m) ->> 'set_option')::bool, true)
)
SELECT oid
FROM pg_roles
WHERE rolname = $1
   OR rolname <> session_user AND rolname !~ '^pg_' AND oid IN (SELECT oid FROM reachable)
