-- Of the names in $1, those that have a value now: name, value.
SELECT name, current_setting(name, true) AS value
FROM unnest($1::text[]) AS name
WHERE current_setting(name, true) <> ''
