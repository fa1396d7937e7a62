/**
 * Goes after a SELECT inside a statement: it takes the rows that no other transaction is changing, and skips the others
 * instead of waiting for them. In SQLite there is one transaction at a time, and so nothing to skip.
 */
export const unlocked = "/* unlocked */"
