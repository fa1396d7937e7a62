/**
 * The lint rules that only this project has. `no-empty-sleep` refuses a sleep of no length where a turn of the event loop is
 * meant. This is JavaScript, because the linter cannot load TypeScript on every version of Node.
 */

/** @typedef {{ type: string, value?: unknown, property?: { name?: unknown } }} Node */

const message = "A sleep of no length lets no socket in on Node: take the turn of EventLoop."

const noEmptySleep = {
  /** @param {{ report: (problem: { node: Node, message: string }) => void }} context */
  create: (context) => ({
    /** @param {{ callee: Node, arguments: Array<Node> }} call */
    CallExpression: ({ callee, arguments: [length] }) => {
      const isEmpty = length?.type === "Literal" && parseFloat(String(length.value)) === 0
      if (isEmpty && callee.property?.name === "sleep") context.report({ node: callee, message })
    }
  })
}

export default { meta: { name: "skein" }, rules: { "no-empty-sleep": noEmptySleep } }
