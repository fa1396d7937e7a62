/** What commands need for the database of a data folder, loaded in one piece when a command works on one. */
export { layer, layerMemory } from "../node/SkeinNode.js"
export { take } from "../sqlite/Snapshot.js"
