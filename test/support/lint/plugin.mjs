/**
 * The lint rules that only this project has. This is JavaScript, because the linter cannot load TypeScript on every version
 * of Node.
 *
 * - `no-empty-sleep` refuses a sleep of no length where a turn of the event loop is meant.
 * - `no-dropped-program` refuses a statement, or a call of a program, in the body of a write that is not yielded: it would
 *   never run. What a program is, is told by its first argument, `tx`.
 * - `no-style-without-unit` refuses a style of an element whose values are not written out as texts. Preact takes them as they
 *   are, and browsers ignore a length without a unit.
 */

/**
 * @typedef {{ type: string, value?: unknown, name?: string, delegate?: boolean, parent?: Node, object?: Node,
 *   property?: Node, expression?: Node, properties?: Array<{ value?: Node }> }} Node
 */

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

/** What takes a transaction and is no program. */
const notes = new Set(["changed", "raiseFence"])

const statements = new Set(["run", "get", "all", "releaseSpace"])

/** @param {Node | undefined} node */
const isTransaction = (node) => node?.type === "Identifier" && node.name === "tx"

const noDroppedProgram = {
  /** @param {{ report: (problem: { node: Node, message: string }) => void }} context */
  create: (context) => ({
    /** @param {{ type: string, callee: Node, arguments: Array<Node>, parent: Node }} call */
    CallExpression: (call) => {
      const { callee, parent } = call
      const name = callee.name ?? callee.property?.name ?? ""
      const isProgram = isTransaction(callee.object) ? statements.has(name) : isTransaction(call.arguments[0])
      if (!isProgram || notes.has(name)) return
      const isRun = parent.type === "YieldExpression" && parent.delegate === true
      const isHandedOn = ["ArrowFunctionExpression", "CallExpression"].includes(parent.type)
      if (!isRun && !isHandedOn) context.report({ node: callee, message: "Nothing runs this: it is not yielded." })
    }
  })
}

/** @param {Node | undefined} node */
const isText = (node) =>
  node?.type === "TemplateLiteral" || (node?.type === "Literal" && typeof node.value === "string")

const noStyleWithoutUnit = {
  /** @param {{ report: (problem: { node: Node, message: string }) => void }} context */
  create: (context) => ({
    /** @param {{ name: Node, value: Node }} attribute */
    JSXAttribute: ({ name, value }) => {
      if (name.name !== "style" || isText(value) || isText(value?.expression)) return
      if (value?.expression?.properties?.every((property) => isText(property.value)) === true) return
      context.report({ node: name, message: "Write each value as a text with its unit, such as `${height}px`." })
    }
  })
}

export default {
  meta: { name: "skein" },
  rules: {
    "no-empty-sleep": noEmptySleep,
    "no-dropped-program": noDroppedProgram,
    "no-style-without-unit": noStyleWithoutUnit
  }
}
