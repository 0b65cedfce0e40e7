// The cells of theory/cells.py, forward and backward, for one sequence.
// Same symbols and layout: x (T, d), W (d, 4h), U (h, 4h), b (4h), blocks in
// the order i, f, c~, o; rows are arrays. h0, c0 are zero unless given.

export const logistic = (z) => 0.5 * (1 + Math.tanh(0.5 * z));

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

// dz U^T, one row
const back = (dz, U) => U.map((row) =>
  row.reduce((sum, u, j) => sum + u * dz[j], 0));

export function rnnForward(x, { W, U, b }, h0 = zeros(U.length)) {
  const h = [];
  for (const row of x) h.push(affine(row, W, h.at(-1) ?? h0, U, b)
    .map(Math.tanh));
  return { x, h, h0 };
}

// dh (T, h): the derivative of a loss by each h_t where it is used directly
export function rnnBackward(dh, cache, { W, U, b }) {
  const { x, h, h0 } = cache;
  const dz = [];
  let next = zeros(U.length);
  for (let t = h.length - 1; t >= 0; t--) {
    dz[t] = h[t].map((a, k) => (dh[t][k] + next[k]) * (1 - a * a));
    next = back(dz[t], U);
  }
  return { ...weightGradients(dz, x, h, h0, { W, U, b }), h0: next };
}

export function lstmForward(
  x, { W, U, b }, h0 = zeros(U.length), c0 = zeros(U.length),
) {
  const n = U.length;
  const cache = { x, h0, c0, h: [], c: [], i: [], f: [], cTilde: [], o: [] };
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

// dc (T, h), if given: the same as dh for the cell states
export function lstmBackward(dh, cache, { W, U, b }, dc = grid(dh)) {
  const { x, h, c, i, f, cTilde, o, h0, c0 } = cache;
  const n = U.length;
  const dz = [];
  let dhNext = zeros(n), dcNext = zeros(n);
  for (let t = h.length - 1; t >= 0; t--) {
    const before = t ? c[t - 1] : c0, dzt = zeros(4 * n), passed = zeros(n);
    for (let k = 0; k < n; k++) {
      const [I, F, G, O] = [i[t][k], f[t][k], cTilde[t][k], o[t][k]];
      const tanhC = Math.tanh(c[t][k]);
      const dhk = dh[t][k] + dhNext[k];
      const dck = dcNext[k] + dhk * O * (1 - tanhC * tanhC) + dc[t][k];
      dzt[k] = dck * G * I * (1 - I);
      dzt[n + k] = dck * before[k] * F * (1 - F);
      dzt[2 * n + k] = dck * I * (1 - G * G);
      dzt[3 * n + k] = dhk * tanhC * O * (1 - O);
      passed[k] = dck * F;
    }
    [dz[t], dhNext, dcNext] = [dzt, back(dzt, U), passed];
  }
  const found = weightGradients(dz, x, h, h0, { W, U, b });
  return { ...found, h0: dhNext, c0: dcNext };
}

// Gradients by x, W, U, b, as z_t = x_t W + h_{t-1} U + b
function weightGradients(dz, x, h, h0, { W, U, b }) {
  const found = { x: dz.map((row) => back(row, W)), W: grid(W), U: grid(U) };
  const outer = (M, row, dzt) => row.forEach((value, k) => {
    for (let j = 0; j < dzt.length; j++) M[k][j] += value * dzt[j];
  });
  dz.forEach((row, t) => {
    outer(found.W, x[t], row);
    outer(found.U, t ? h[t - 1] : h0, row);
  });
  found.b = b.map((_, j) => dz.reduce((sum, row) => sum + row[j], 0));
  return found;
}

// The output layer after the last step: h V + v, one row
export const answer = (h, { V, v }) => v.map((bias, m) =>
  h.reduce((sum, value, k) => sum + value * V[k][m], bias));

// A trained network reads x (T, d): its cache, what it would answer after
// each step, and the gradient of its last answer by every input.
export function read(x, network) {
  const lstm = network.b.length > network.U.length;
  const cache = (lstm ? lstmForward : rnnForward)(x, network);
  const dh = grid(cache.h);
  dh[x.length - 1] = network.V.map((row) => row[0]);
  const found = (lstm ? lstmBackward : rnnBackward)(dh, cache, network);
  const answers = cache.h.map((h) => answer(h, network)[0]);
  return { cache, answers, gradient: found.x };
}
