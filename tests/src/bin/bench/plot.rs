//! Results as a picture: a bar for each case and size.

use anyhow::{Result, anyhow};
use plotters::{
    prelude::{
        BLACK, IntoDrawingArea as _, IntoFont as _, RGBColor, Rectangle, SVGBackend, Text, WHITE,
    },
    style::{ShapeStyle, TextStyle},
};

use crate::results::{Case, Results};

const WIDTH: u32 = 960;
/// Where the bars begin, and how far the longest one goes.
const LEFT: i32 = 240;
const LONGEST: f64 = 620.0;
/// Of a bar.
const HEIGHT: i32 = 12;
/// Between cases.
const GAP: i32 = 10;
/// Above the first case: the legend.
const TOP: i32 = 40;
/// One for each size, in their order, and again from the first on.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x2c, 0x7b, 0xb6),
    RGBColor(0xab, 0xd9, 0xe9),
    RGBColor(0xfd, 0xae, 0x61),
    RGBColor(0xd7, 0x19, 0x1c),
];

/// The picture, as SVG.
pub fn svg(results: &Results) -> Result<String> {
    let mut svg = String::new();
    draw(results, &mut svg).map_err(|error| anyhow!("cannot draw: {error}"))?;
    Ok(svg)
}

fn draw(results: &Results, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let (sizes, names) = (results.sizes(), results.names());
    let group = i32::try_from(sizes.len())? * HEIGHT + GAP;
    let height = u32::try_from(TOP + group * i32::try_from(names.len())? + GAP)?;
    let area = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let style: TextStyle<'_> = ("sans-serif", 12).into_font().color(&BLACK);
    let text = |x, y, words: String| Text::new(words, (x, y), style.clone());
    let colour = |place: usize| COLOURS[place % COLOURS.len()];

    area.draw(&text(GAP, GAP, "ns a packet above an empty program".to_owned()))?;
    for (place, size) in sizes.iter().enumerate() {
        let x = LEFT + i32::try_from(place)? * 160;
        area.draw(&bar(x, GAP, 20, colour(place)))?;
        area.draw(&text(x + 26, GAP, format!("{size} {}", results.sizes_are)))?;
    }
    let longest = results.cases.iter().map(|case| case.net_ns).fold(1.0, f64::max);
    for (line, name) in (0..).zip(&names) {
        let top = TOP + line * group;
        area.draw(&text(GAP, top, (*name).to_owned()))?;
        for (place, size) in sizes.iter().enumerate() {
            let Some(Case { net_ns, .. }) = results.case(name, *size) else { continue };
            let y = top + i32::try_from(place)? * HEIGHT;
            #[expect(clippy::cast_possible_truncation, reason = "at most LONGEST")]
            let length = (net_ns / longest * LONGEST).max(1.0) as i32;
            area.draw(&bar(LEFT, y, length, colour(place)))?;
            area.draw(&text(LEFT + length + 6, y, format!("{net_ns:.0}")))?;
        }
    }
    area.present()?;
    Ok(())
}

fn bar(x: i32, y: i32, length: i32, colour: RGBColor) -> Rectangle<(i32, i32)> {
    Rectangle::new([(x, y), (x + length, y + HEIGHT - 2)], ShapeStyle::from(&colour).filled())
}
