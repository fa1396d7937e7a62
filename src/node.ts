/** Skein on Node: the preset, and the tools that work on a folder. */
export * as NodeExec from "./adapters/node/NodeExec.js"
export * as SkeinNode from "./adapters/node/SkeinNode.js"
export * as WorkspaceTools from "./adapters/tools/WorkspaceTools.js"
