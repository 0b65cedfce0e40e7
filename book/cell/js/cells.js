// The cells of theory/cells.py, forward and backward, for one sequence.
// Same symbols and layout: x (T, d), W (d, 4h), U (h, 4h), b (4h), blocks in
// the order i, f, c~, o; rows are arrays.

const logistic = (z) => 0.5 * (1 + Math.tanh(0.5 * z));

const zeros = (n) => new Array(n).fill(0);
const grid = (like) => like.map((row) => zeros(row.length));

// z = x W + h U + b, one row
function affine(x, W, h, U, b) {
  const z = [...b];
  const add = (row, M) => row.forEach((value, k) => {
    for (let j = 0; j < z.length; j++) z[j] += value * M[k][j];
  });
  add(x, W);
  add(h, U);
  return z;
}

// dz U^T or dz W^T, one row
const back = (dz, U) => U.map((row) =>
  row.reduce((sum, u, j) => sum + u * dz[j], 0));

function rnnForward(x, { W, U, b }) {
  const h = [];
  for (const row of x) h.push(affine(row, W, h.at(-1) ?? zeros(U.length), U, b)
    .map(Math.tanh));
  return { h };
}

// dh (T, h): the derivative of a loss by each h_t where it is used directly.
// Returns that by each x_t, as the next function does.
function rnnBackward(dh, { h }, { W, U }) {
  const dx = [];
  let next = zeros(U.length);
  for (let t = h.length - 1; t >= 0; t--) {
    const dz = h[t].map((a, k) => (dh[t][k] + next[k]) * (1 - a * a));
    [dx[t], next] = [back(dz, W), back(dz, U)];
  }
  return dx;
}

export function lstmForward(
  x, { W, U, b }, h0 = zeros(U.length), c0 = zeros(U.length),
) {
  const n = U.length;
  const cache = { c0, h: [], c: [], i: [], f: [], cTilde: [], o: [] };
  for (const row of x) {
    const before = cache.c.at(-1) ?? c0;
    const z = affine(row, W, cache.h.at(-1) ?? h0, U, b);
    const i = z.slice(0, n).map(logistic);
    const f = z.slice(n, 2 * n).map(logistic);
    const cTilde = z.slice(2 * n, 3 * n).map(Math.tanh);
    const o = z.slice(3 * n).map(logistic);
    const c = before.map((old, k) => f[k] * old + i[k] * cTilde[k]);
    const h = c.map((value, k) => o[k] * Math.tanh(value));
    const now = { i, f, cTilde, o, c, h };
    for (const name in now) cache[name].push(now[name]);
  }
  return cache;
}

function lstmBackward(dh, { h, c, i, f, cTilde, o, c0 }, { W, U }) {
  const n = U.length;
  const dx = [];
  let dhNext = zeros(n), dcNext = zeros(n);
  for (let t = h.length - 1; t >= 0; t--) {
    const before = t ? c[t - 1] : c0, dz = zeros(4 * n), passed = zeros(n);
    for (let k = 0; k < n; k++) {
      const [I, F, G, O] = [i[t][k], f[t][k], cTilde[t][k], o[t][k]];
      const tanhC = Math.tanh(c[t][k]);
      const dhk = dh[t][k] + dhNext[k];
      const dck = dcNext[k] + dhk * O * (1 - tanhC * tanhC);
      dz[k] = dck * G * I * (1 - I);
      dz[n + k] = dck * before[k] * F * (1 - F);
      dz[2 * n + k] = dck * I * (1 - G * G);
      dz[3 * n + k] = dhk * tanhC * O * (1 - O);
      passed[k] = dck * F;
    }
    [dx[t], dhNext, dcNext] = [back(dz, W), back(dz, U), passed];
  }
  return dx;
}

// The output layer after the last step: h V + v, one row
const answer = (h, { V, v }) => v.map((bias, m) =>
  h.reduce((sum, value, k) => sum + value * V[k][m], bias));

// A trained network reads x (T, d): its cache, what it would answer after
// each step, and the gradient of its last answer by every input.
export function read(x, network) {
  const lstm = network.b.length > network.U.length;
  const cache = (lstm ? lstmForward : rnnForward)(x, network);
  const dh = grid(cache.h);
  dh[x.length - 1] = network.V.map((row) => row[0]);
  const gradient = (lstm ? lstmBackward : rnnBackward)(dh, cache, network);
  const answers = cache.h.map((h) => answer(h, network)[0]);
  return { cache, answers, gradient };
}
