SELECT to_regclass('"order".orders') IS NOT NULL AND to_regclass('"order".order_items') IS NOT NULL;
