//! Places rectangles whose areas are proportional to sizes, as squares as possible (Bruls, Huizing, van Wijk:
//! "Squarified Treemaps").

/// A rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rectangle {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// The rectangles of `sizes`, which are sorted, largest first, in an area of `width` and `height`. A size of 0 has
/// an empty rectangle.
pub(crate) fn squarified(sizes: &[u64], width: f64, height: f64) -> Vec<Rectangle> {
    let total: u64 = sizes.iter().fold(0, |sum, size| sum.saturating_add(*size));
    let scale = if total == 0 {
        0.0
    } else {
        width * height / float(total)
    };
    let areas: Vec<f64> = sizes.iter().map(|size| float(*size) * scale).collect();
    let mut free = Rectangle {
        x: 0.0,
        y: 0.0,
        width,
        height,
    };
    let mut placed = Vec::with_capacity(sizes.len());
    let mut rest = areas.as_slice();
    while !rest.is_empty() {
        let side = free.width.min(free.height);
        let mut row = 1;
        while row < rest.len() && worst(&rest[..=row], side) <= worst(&rest[..row], side) {
            row += 1;
        }
        let (now, later) = rest.split_at(row);
        free = place(now, free, &mut placed);
        rest = later;
    }
    placed
}

/// Sizes of blobs are exact far beyond what a picture shows.
#[allow(clippy::cast_precision_loss)]
fn float(size: u64) -> f64 {
    size as f64
}

/// The largest ratio of sides in a row along `side`.
fn worst(areas: &[f64], side: f64) -> f64 {
    let sum: f64 = areas.iter().sum();
    if sum <= 0.0 || side <= 0.0 {
        return f64::INFINITY;
    }
    let depth = sum / side;
    let ratios = areas.iter().map(|area| {
        let length = area / depth;
        (length / depth).max(depth / length)
    });
    ratios.fold(0.0, f64::max)
}

/// Places a row along the shorter side; what is left free.
fn place(areas: &[f64], free: Rectangle, placed: &mut Vec<Rectangle>) -> Rectangle {
    let sum: f64 = areas.iter().sum();
    let wide = free.width >= free.height;
    let side = if wide { free.height } else { free.width };
    let depth = if side > 0.0 { sum / side } else { 0.0 };
    let mut at = 0.0;
    for area in areas {
        let length = if depth > 0.0 { area / depth } else { 0.0 };
        placed.push(if wide {
            Rectangle {
                x: free.x,
                y: free.y + at,
                width: depth,
                height: length,
            }
        } else {
            Rectangle {
                x: free.x + at,
                y: free.y,
                width: length,
                height: depth,
            }
        });
        at += length;
    }
    if wide {
        Rectangle {
            x: free.x + depth,
            width: (free.width - depth).max(0.0),
            ..free
        }
    } else {
        Rectangle {
            y: free.y + depth,
            height: (free.height - depth).max(0.0),
            ..free
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_proportional_and_fill_the_space_without_overlap() {
        let sizes = [600, 600, 400, 300, 200, 200, 100];
        let placed = squarified(&sizes, 600.0, 400.0);
        assert_eq!(placed.len(), sizes.len());
        for (size, place) in sizes.iter().zip(&placed) {
            let area = place.width * place.height;
            assert!((area - float(*size) * 100.0).abs() < 0.01, "{place:?}");
            assert!(
                place.x >= 0.0 && place.x + place.width <= 600.01,
                "{place:?}"
            );
            assert!(
                place.y >= 0.0 && place.y + place.height <= 400.01,
                "{place:?}"
            );
        }
        for (at, one) in placed.iter().enumerate() {
            for other in &placed[at + 1..] {
                let apart = one.x + one.width <= other.x + 0.01
                    || other.x + other.width <= one.x + 0.01
                    || one.y + one.height <= other.y + 0.01
                    || other.y + other.height <= one.y + 0.01;
                assert!(apart, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn nothing_and_zeros_have_no_area() {
        assert_eq!(squarified(&[], 10.0, 10.0), []);
        let placed = squarified(&[5, 0, 0], 10.0, 10.0);
        assert_eq!(placed.len(), 3);
        assert!(
            placed
                .iter()
                .all(|place| place.width.is_finite() && place.height.is_finite())
        );
        assert!(squarified(&[0], 10.0, 10.0)[0].width.abs() < 0.01);
    }
}
