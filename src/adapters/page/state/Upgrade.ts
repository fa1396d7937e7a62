/** Whether the server has another page than this one by now, as after an upgrade; asked whenever it may have been away. */
import { Store } from "./Store.js"

export const isUpgraded = new Store(false)

const fileOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/** The script that a page's document loads; null for anything else that may be served at its address. */
const scriptOf = (document: string): string | null => /\bpage\/(main-\w+\.js)"/.exec(document)?.[1] ?? null

const look = async (): Promise<void> => {
  const answer = await fetch("./", { cache: "no-cache" })
  const script = answer.ok ? scriptOf(await answer.text()) : null
  if (script !== null && script !== fileOf(import.meta.url)) isUpgraded.set(true)
}

/** Finds out. A server that cannot be reached is asked the next time. */
export const check = (): void => void look().catch(() => {})
