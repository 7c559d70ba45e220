SELECT CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END
       || format(' %I.%I(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid)), '', p.property, p.value
FROM pg_proc f
JOIN pg_namespace n ON n.oid = f.pronamespace
LEFT JOIN pg_aggregate a ON a.aggfnoid = f.oid
CROSS JOIN LATERAL (VALUES
    ('owner', f.proowner::regrole::text),
    ('definition', CASE WHEN f.prokind <> 'a' THEN pg_get_functiondef(f.oid) END),
    ('arguments', CASE f.prokind WHEN 'a' THEN pg_get_function_arguments(f.oid) END),
    ('result', CASE f.prokind WHEN 'a' THEN pg_get_function_result(f.oid) END),
    ('transition function', a.aggtransfn::regprocedure::text),
    ('transition type', format_type(a.aggtranstype, NULL)),
    ('initial value', a.agginitval),
    ('final function', CASE WHEN a.aggfinalfn <> 0 THEN a.aggfinalfn::regprocedure::text END),
    ('combine function', CASE WHEN a.aggcombinefn <> 0 THEN a.aggcombinefn::regprocedure::text END),
    ('parallel', CASE f.prokind WHEN 'a' THEN f.proparallel::text END),
    ('sort operator', CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END),
    ('comment', obj_description(f.oid, 'pg_proc'))
) AS p (property, value)
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'e')
  -- What comes with a range type goes with it, too.
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'i')
