import { parentPort, workerData } from 'node:worker_threads';
import sodium from 'sodium-native';

const MESSAGE_BYTES = 250;
const ROUND = 64;

const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES);
const secretKey = Buffer.alloc(sodium.crypto_sign_SECRETKEYBYTES);
sodium.crypto_sign_keypair(publicKey, secretKey);
const message = Buffer.alloc(MESSAGE_BYTES, 7);
const signature = Buffer.alloc(sodium.crypto_sign_BYTES);
sodium.crypto_sign_detached(signature, message, secretKey);

const milliseconds = workerData as number;
const began = performance.now();
let count = 0;
while (performance.now() - began < milliseconds) {
  for (let round = 0; round < ROUND; round += 1)
    sodium.crypto_sign_verify_detached(signature, message, publicKey);
  count += ROUND;
}
parentPort?.postMessage((count * 1000) / (performance.now() - began));
