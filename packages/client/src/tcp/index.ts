export { connectTcp, connectTcpTo } from './connect-tcp.js'
