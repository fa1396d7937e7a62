/** `skein/postgres`: sessions in a PostgreSQL database, which engines on several hosts share. */
export * as SkeinPostgres from "./adapters/postgres/SkeinPostgres.js"
