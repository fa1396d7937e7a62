/**
 * The page's entry point. A one-time code in the address signs in; it is removed from the address, and from the
 * browser's history, before anything else is done.
 */
import { render } from "preact"
import * as Route from "./model/Route.js"
import * as Api from "./net/Api.js"
import { App } from "./ui/App.js"
import { wordsOf } from "./ui/Failure.js"

const begin = async (): Promise<{ readonly isIn: boolean; readonly why: string | null }> => {
  const code = Route.code(location.hash)
  if (code !== null) {
    history.replaceState(null, "", `${location.pathname}${location.search}#/`)
    try {
      await Api.login(code)
      return { isIn: true, why: null }
    } catch (error) {
      const isIn = await Api.isKnown()
      return { isIn, why: wordsOf(error, "The code was not accepted") }
    }
  }
  return { isIn: await Api.isKnown(), why: null }
}

// Opening a link with a code where the page is already open does not reload it.
window.addEventListener("hashchange", () => {
  if (Route.code(location.hash) !== null) location.reload()
})

// The browser would leave the page for a file that is dropped on it, and what is written here would be lost.
for (const name of ["dragover", "drop"] as const) {
  window.addEventListener(name, (event) => {
    if (event.dataTransfer?.types.includes("Files") === true) event.preventDefault()
  })
}

void begin().then(({ isIn, why }) => {
  const root = document.getElementById("page")
  if (root === null) return
  root.replaceChildren()
  render(<App isIn={isIn} why={why} />, root)
})
