DROP TABLE catalog.prices;
DROP TABLE catalog.products;
DROP TABLE catalog.categories;
