/**
 * Behind a SELECT within a statement: takes the rows that no other transaction is changing, and leaves out the others
 * instead of waiting for them. In SQLite there is one transaction at a time, and so nothing to leave out.
 */
export const unlocked = "/* unlocked */"
