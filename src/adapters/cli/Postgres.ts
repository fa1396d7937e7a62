/** What works on a PostgreSQL database. It is loaded by `PostgresLoading.ts`, when a command is told of one. */
export { look, repair } from "../postgres/PostgresDoctor.js"
export { layer } from "../postgres/SkeinPostgres.js"
