-- Input of the database trace: large rows, in memory, read in the order of an index.
CREATE TABLE document (id INTEGER PRIMARY KEY, rank INTEGER, body BLOB, words INTEGER);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
INSERT INTO document SELECT i, i * 7919 % 2503, zeroblob(3000), i % 1009 FROM n;
CREATE INDEX document_rank ON document (rank);
SELECT count(*), sum(words) FROM document INDEXED BY document_rank WHERE rank > 0;
