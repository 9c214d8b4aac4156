-- breaks_before: 1
-- A batch may change all the documents of a page together, which lay side by side because they were made together. With
-- room for all of them the new rows stay on it, and no index is written.

ALTER TABLE document SET (fillfactor = 50);
