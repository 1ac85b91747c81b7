# SPDX-License-Identifier: GPL-2.0-only
# gnuplot -c growth.gp DATA TITLE YLABEL BLOCKS: draw one curve for each of the BLOCKS of DATA,
# which begin with their names. Prints SVG.
set terminal svg size 640,400 dynamic background "white" font "sans-serif,13"
set title ARG2 noenhanced
set xlabel "bad pages"
set ylabel ARG3
set logscale xy 2
set xtics (1, 8, 64, 512, 4096)
set xrange [0.8:6000]
# a logarithmic axis has no zero: draw zero at the bottom
set yrange [0.5:65536]
set ytics ("0" 0.5, 1, 8, 64, 512, 4096, 32768)
set grid
set key top left noenhanced autotitle columnheader
plot for [i = 0:ARG4 - 1] ARG1 index i using 1:($2 > 0 ? $2 : 0.5) with linespoints lw 2 dt i + 1 pt i + 4
