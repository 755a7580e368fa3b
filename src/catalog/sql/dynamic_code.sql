-- Whether code of the database's authors may run PREPARE or DEALLOCATE: where its text says so or runs text that it makes
-- (EXECUTE, DO, a function that it creates), and where its language is one whose text cannot be judged. Functions that
-- PostgreSQL comes with run the text that they are given as read-only, where both are refused; of its extensions
-- xpath_table does not. A function with a parsed body (prosqlbody) has no text, and no such statements.
SELECT EXISTS (
    SELECT FROM pg_proc p
    JOIN pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND CASE
        WHEN l.lanname = 'internal' THEN false
        WHEN l.lanname = 'c' THEN p.prosrc = 'xpath_table'
        WHEN l.lanname IN ('sql', 'plpgsql') THEN p.prosrc ~* '\m(prepare|deallocate|discard|execute)\M'
            OR p.prosrc ~* '\mdo\M(?!\s+(nothing|update)\M)'
            OR p.prosrc ~* '\mcreate\M.*\m(function|procedure|extension)\M'
        ELSE true
    END)
