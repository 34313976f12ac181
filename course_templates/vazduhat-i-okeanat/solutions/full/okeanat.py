# %% long
def to_long(wide):
    """Връща таблица с колони year, month (1–12) и temperature."""
    table = wide.melt("YEAR", var_name="month", value_name="temperature")
    table["month"] = table["month"].map(lambda name: MONTHS.index(name) + 1)
    return table.rename(columns={"YEAR": "year"})

# %% cycle
def seasonal_cycle(table):
    """Връща Series: месец → средна температура."""
    return table.groupby("month")["temperature"].mean()


def anomalies(table):
    """Връща копие на таблицата с колона anomaly."""
    result = table.copy()
    result["anomaly"] = result["temperature"] - result["month"].map(seasonal_cycle(table))
    return result

# %% warm
def warm_years(table, threshold):
    """Връща списък с годините, чиято средна аномалия е над threshold."""
    means = table.groupby("year")["anomaly"].mean()
    return [int(year) for year in means.index[means > threshold]]

# %% correlation
def correlation(a, b):
    """Връща корелацията на a и b по общите им години или None, ако те са по-малко от 3."""
    both = pd.concat([a, b], axis=1).dropna()
    if len(both) < 3:
        return None
    return both.iloc[:, 0].corr(both.iloc[:, 1])

# %% graph
figure, axes = plt.subplots(3, 1, figsize=(9, 8), sharex=True, layout="constrained")
axes[0].plot(co2.index, co2)
axes[0].set_ylabel("CO₂, ppm")
axes[1].plot(ocean_yearly.index, ocean_yearly)
axes[1].axhline(0, linewidth=0.8, color="gray")
axes[1].set_ylabel("океан, отклонение °C")
for year in warm_years(ocean, 1.0):
    axes[1].annotate(str(year), (year, ocean_yearly.loc[year]), ha="center", va="bottom")
axes[2].plot(sun.index, sun)
axes[2].set_ylabel("слънчеви петна, брой")
axes[2].set_xlabel("година")
axes[2].set_xlim(1959, 2001)
figure.suptitle("CO₂ расте без прекъсване; океанът край Перу и Слънцето се люлеят, всяко в свой ритъм")
plt.show()

# %% [markdown] experts
# От нашите данни не следва нито едното. Корелацията между CO₂ и температурата край Перу е 0,27: слаба връзка. Между океана и
# слънчевите петна е 0,06: почти никаква. CO₂ е нараснал от 315,9 ppm през 1959 г. до 370,9 през 2001 г. без нито едно
# десетилетие на спад, а океанът на това място се люлее: 1983 и 1997 г. са с над 2,5 °C по-топли от обичайното, но 1950–1979 г.
# са по-хладни. Един район от Тихия океан не е цялата планета, а Ел Ниньо заглушава бавната промяна. За да решим, ни трябват
# температури от много места по света и за повече години.

# %% [markdown] after town-page
# **Какво знаем.** CO₂ във въздуха е нараснал от 315,9 ppm (1959) на 370,9 ppm (2001) според Keeling & Whorf. Океанът край
# Перу е бил с 2,7 °C по-топъл от обичайното през 1997 г. според NOAA.
#
# **Какво не знаем.** Дали едното е причина за другото: корелацията е само 0,27, мерим едно място, а български измервания
# тук няма.
#
# **Какво предлагаме.** Термометър и датчик за CO₂ в двора на училището, отчитане всеки учебен ден в 9 и в 14 часа,
# записано в обща таблица. След пет години общината ще знае колко по-горещ е училищният двор от парка и къде да засади
# дървета.
