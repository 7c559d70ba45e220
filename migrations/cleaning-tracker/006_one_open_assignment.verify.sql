SELECT count(*) = 1
  FROM pg_index
 WHERE indexrelid = to_regclass('app_data.task_assignments_one_open') AND indisunique AND indisvalid;
