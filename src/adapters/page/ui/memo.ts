/** A component that is drawn again only when one of its properties has changed. */
import { Component, type ComponentChildren, type FunctionComponent, h } from "preact"

export const memo = <P extends object>(draw: (props: P) => ComponentChildren): FunctionComponent<P> => {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const now = new Map<string, unknown>(Object.entries(this.props))
      const entries = Object.entries(next)
      return entries.length !== now.size || entries.some(([name, value]) => !Object.is(now.get(name), value))
    }
    override render(): ComponentChildren {
      return h(Drawn, this.props)
    }
  }
  const Drawn: FunctionComponent<P> = (props) => draw(props)
  return (props) => h(Memo, props)
}
