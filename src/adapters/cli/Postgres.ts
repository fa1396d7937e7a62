/** What works on a PostgreSQL database. `PostgresLoading.ts` loads it when a command names a database. */
export { look, repair } from "../postgres/PostgresDoctor.js"
export { layer } from "../postgres/SkeinPostgres.js"
