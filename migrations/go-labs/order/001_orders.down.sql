DROP TABLE "order".order_items;
DROP TABLE "order".orders;
DROP TYPE "order".order_status;
