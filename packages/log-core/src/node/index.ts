export { nodeDisk } from './disk-node.js'
