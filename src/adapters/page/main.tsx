/**
 * The page's entry point. A one-time code in the address signs in; it is removed from the address, and from the
 * browser's history, before anything else is done.
 */
import { render } from "preact"
import * as Route from "./model/Route.js"
import * as Api from "./net/Api.js"
import * as Unsent from "./state/Unsent.js"
import { App } from "./ui/App.js"
import { wordsOf } from "./ui/Failure.js"

const begin = async (): Promise<{ readonly who: string | null; readonly why: string | null }> => {
  const code = Route.code(location.hash)
  if (code !== null) {
    history.replaceState(null, "", `${location.pathname}${location.search}#/`)
    try {
      await Api.login(code)
    } catch (error) {
      return { who: await Api.who(), why: wordsOf(error, "The code was not accepted") }
    }
  }
  return { who: await Api.who(), why: null }
}

// Opening a link with a code where the page is already open does not reload it. Where it asks for one, it takes that.
window.addEventListener("hashchange", () => {
  if (Route.code(location.hash) !== null && document.querySelector(".sign-in") === null) location.reload()
})

// The browser would leave the page for a file that is dropped on it, and what is written here would be lost.
for (const name of ["dragover", "drop"] as const) {
  window.addEventListener(name, (event) => {
    if (event.dataTransfer?.types.includes("Files") === true) event.preventDefault()
  })
}

void begin().then(({ who, why }) => {
  const root = document.getElementById("page")
  if (root === null) return
  root.replaceChildren()
  if (who !== null) Unsent.writtenBy(who)
  render(<App isIn={who !== null} why={why} />, root)
})
