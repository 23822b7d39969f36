//! Inputs out of inputs: words of a dictionary put in, parts taken out, doubled, exchanged, bits turned.

/// A source of inputs.
pub(crate) struct Mutator {
    state: u64,
    words: Vec<Vec<u8>>,
}

/// No input is longer.
const LENGTH_MAX: usize = 4096;

impl Mutator {
    /// With this dictionary.
    pub(crate) fn new(seed: u64, words: &[&str]) -> Self {
        Self { state: seed, words: words.iter().map(|word| word.as_bytes().to_vec()).collect() }
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or(0)
    }

    /// One of the corpus, changed in a few places.
    pub(crate) fn input(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input, corpus);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let (first, last) = self.range(input);
        match self.below(8) {
            0 | 1 => {
                let word = self.word();
                input.splice(first..first, [b" ".to_vec(), word, b" ".to_vec()].concat());
            }
            2 | 3 => {
                let word = self.word();
                let (first, last) = around(input, first);
                input.splice(first..last, word);
            }
            4 => drop(input.drain(first..last)),
            5 => {
                let part = input[first..last].to_vec();
                input.splice(last..last, part);
            }
            6 => {
                let other = &corpus[self.below(corpus.len())];
                let (from, to) = self.range(other);
                input.splice(first..last, other[from..to].iter().copied());
            }
            _ => {
                let bit = 1 << self.below(8);
                if let Some(byte) = input.get_mut(first) {
                    *byte ^= bit;
                }
            }
        }
    }

    fn word(&mut self) -> Vec<u8> {
        match self.below(8) {
            0 => self.next().to_string().into_bytes(),
            1 => (self.next() % 300).to_string().into_bytes(),
            _ => {
                let place = self.below(self.words.len());
                self.words[place].clone()
            }
        }
    }

    /// Two places in the input, in order, mostly near each other.
    fn range(&mut self, input: &[u8]) -> (usize, usize) {
        let first = self.below(input.len() + 1);
        let reach = if self.below(4) == 0 { input.len() - first } else { 16 };
        (first, (first + self.below(reach + 1)).min(input.len()))
    }

    /// The next random number, by `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// The bounds of the word at a place.
fn around(input: &[u8], place: usize) -> (usize, usize) {
    let is_between = |byte: &u8| b" \n\t\"=,:{}[]".contains(byte);
    let first = input[..place].iter().rposition(is_between).map_or(0, |before| before + 1);
    let last = input[place..].iter().position(is_between).map_or(input.len(), |len| place + len);
    (first, last)
}
