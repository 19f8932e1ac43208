export { certificateThumbprint, type PeerCertificate, peerCertificate } from './peer-certificate.ts';
export { clientTlsOptions, serverTlsOptions, type TlsIdentity } from './tls-options.ts';
