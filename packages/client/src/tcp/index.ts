export { connectTcp } from './connect-tcp.js'
