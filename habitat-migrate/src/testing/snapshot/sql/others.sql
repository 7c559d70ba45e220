SELECT format('extension %I', x.extname), '', p.property, p.value
FROM pg_extension x
CROSS JOIN LATERAL (VALUES
    ('version', x.extversion), ('schema', x.extnamespace::regnamespace::text), ('owner', x.extowner::regrole::text),
    ('comment', obj_description(x.oid, 'pg_extension'))
) AS p (property, value)
UNION ALL
SELECT format('event trigger %I', t.evtname), '', p.property, p.value
FROM pg_event_trigger t
CROSS JOIN LATERAL (VALUES
    ('owner', t.evtowner::regrole::text), ('event', t.evtevent::text), ('function', t.evtfoid::regproc::text),
    ('tags', array_to_string(ARRAY(SELECT unnest(t.evttags) ORDER BY 1), ', ')),
    ('enabled', CASE t.evtenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END),
    ('comment', obj_description(t.oid, 'pg_event_trigger'))
) AS p (property, value)
UNION ALL
SELECT format('statistics %I.%I', n.nspname, s.stxname), '', p.property, p.value
FROM pg_statistic_ext s
JOIN pg_namespace n ON n.oid = s.stxnamespace
CROSS JOIN LATERAL (VALUES
    ('definition', pg_get_statisticsobjdef(s.oid)), ('owner', s.stxowner::regrole::text),
    ('target', nullif((to_jsonb(s) ->> 'stxstattarget')::int, -1)::text),
    ('comment', obj_description(s.oid, 'pg_statistic_ext'))
) AS p (property, value)
UNION ALL
SELECT 'operator ' || o.oid::regoperator::text, '', p.property, p.value
FROM pg_operator o
CROSS JOIN LATERAL (VALUES
    ('owner', o.oprowner::regrole::text), ('result', format_type(o.oprresult, NULL)), ('function', o.oprcode::regproc::text),
    ('commutator', CASE WHEN o.oprcom <> 0 THEN o.oprcom::regoperator::text END),
    ('negator', CASE WHEN o.oprnegate <> 0 THEN o.oprnegate::regoperator::text END),
    ('restriction estimator', CASE WHEN o.oprrest <> 0 THEN o.oprrest::regproc::text END),
    ('join estimator', CASE WHEN o.oprjoin <> 0 THEN o.oprjoin::regproc::text END),
    ('merges', CASE WHEN o.oprcanmerge THEN 'yes' END), ('hashes', CASE WHEN o.oprcanhash THEN 'yes' END),
    ('comment', obj_description(o.oid, 'pg_operator'))
) AS p (property, value)
WHERE o.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_operator'::regclass AND e.objid = o.oid AND e.deptype = 'e')
UNION ALL
SELECT format('cast %s as %s', format_type(c.castsource, NULL), format_type(c.casttarget, NULL)), '', p.property, p.value
FROM pg_cast c
CROSS JOIN LATERAL (VALUES
    ('function', CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END),
    ('method', CASE c.castmethod WHEN 'b' THEN 'binary' WHEN 'i' THEN 'by text' END),
    ('context', CASE c.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END),
    ('comment', obj_description(c.oid, 'pg_cast'))
) AS p (property, value)
WHERE c.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_cast'::regclass AND e.objid = c.oid AND e.deptype IN ('e', 'i'))
UNION ALL
SELECT format('collation %I.%I', n.nspname, l.collname), '', p.property, p.value
FROM pg_collation l
JOIN pg_namespace n ON n.oid = l.collnamespace
CROSS JOIN LATERAL (VALUES
    ('owner', l.collowner::regrole::text), ('provider', l.collprovider::text),
    ('locale', coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale', concat_ws(', ', l.collcollate, l.collctype))),
    ('rules', to_jsonb(l) ->> 'collicurules'),
    ('deterministic', CASE WHEN NOT l.collisdeterministic THEN 'no' END), ('comment', obj_description(l.oid, 'pg_collation'))
) AS p (property, value)
WHERE n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_collation'::regclass AND e.objid = l.oid AND e.deptype = 'e')
UNION ALL
SELECT format('text search configuration %I.%I', n.nspname, c.cfgname), '', p.property, p.value
FROM pg_ts_config c
JOIN pg_namespace n ON n.oid = c.cfgnamespace
CROSS JOIN LATERAL (VALUES
    ('owner', c.cfgowner::regrole::text),
    ('mapping', (SELECT string_agg(m.maptokentype || ' ' || m.mapdict::regdictionary::text, ', ' ORDER BY m.maptokentype, m.mapseqno)
                 FROM pg_ts_config_map m WHERE m.mapcfg = c.oid)),
    ('comment', obj_description(c.oid, 'pg_ts_config'))
) AS p (property, value)
WHERE n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_config'::regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT format('text search dictionary %I.%I', n.nspname, d.dictname), '', p.property, p.value
FROM pg_ts_dict d
JOIN pg_namespace n ON n.oid = d.dictnamespace
CROSS JOIN LATERAL (VALUES
    ('owner', d.dictowner::regrole::text), ('options', d.dictinitoption), ('comment', obj_description(d.oid, 'pg_ts_dict'))
) AS p (property, value)
WHERE n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_ts_dict'::regclass AND e.objid = d.oid AND e.deptype = 'e')
UNION ALL
-- What is rare is told by its name and its comment alone.
SELECT i.type || ' ' || i.identity, '', p.property, p.value
FROM (SELECT 'pg_opclass'::regclass, oid FROM pg_opclass UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily
      UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion UNION ALL SELECT 'pg_am'::regclass, oid FROM pg_am
      UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
      UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template
      UNION ALL SELECT 'pg_amop'::regclass, oid FROM pg_amop UNION ALL SELECT 'pg_amproc'::regclass, oid FROM pg_amproc) AS o (catalog, oid)
CROSS JOIN LATERAL pg_identify_object(o.catalog, o.oid, 0) AS i
CROSS JOIN LATERAL (VALUES ('there', 'yes'), ('comment', obj_description(o.oid, o.catalog::text::name))) AS p (property, value)
WHERE o.oid >= 16384
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = o.catalog AND e.objid = o.oid AND e.deptype = 'e')
  -- The members of an operator class of an extension belong to the class alone.
  AND NOT EXISTS (SELECT FROM pg_depend i JOIN pg_depend e ON e.classid = i.refclassid AND e.objid = i.refobjid AND e.deptype = 'e'
                  WHERE i.classid = o.catalog AND i.objid = o.oid AND i.deptype IN ('a', 'i')
                    AND i.refclassid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass))
