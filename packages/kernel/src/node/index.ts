export { nodeClock } from './clock-node.js'
export { nodeRandom } from './random-node.js'
