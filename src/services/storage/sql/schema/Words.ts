/**
 * One word for one thing: the engine of a run is in `runs.engine`, because an owner is the user that a session belongs
 * to, and verdicts name what they allow. An answer whose JSON text does not parse stays as it is.
 */
const verdict = (stored: string): string =>
  `CASE ${stored} WHEN 'once' THEN 'allow-once' WHEN 'session' THEN 'allow-for-session' ELSE ${stored} END`

export const words: ReadonlyArray<string> = [
  "ALTER TABLE runs RENAME COLUMN owner TO engine",

  `UPDATE questions SET verdict = ${verdict("verdict")} WHERE verdict IN ('once', 'session')`,

  `UPDATE questions SET answer = json_set(answer, '$.verdict', ${verdict("json_extract(answer, '$.verdict')")})
    WHERE json_valid(answer) AND json_extract(answer, '$.verdict') IN ('once', 'session')`
]
