namespace Alebrije.Datasets.Words;

internal static partial class CuratedWords
{
    private const string People = """
        rolling on the floor laughing | =face rolling on the floor laughing | =cara revolviéndose de risa
        star-struck | =star-struck face | =cara con ojos de estrella,cara sonriendo con estrellas
        face with open eyes and hand over mouth | =face with open eyes and a hand over the mouth | +
        face with hand over mouth | =face with a hand over the mouth | =cara con una mano sobre la boca
        face without mouth | =face without a mouth | +
        pile of poo | + | =caca,caca con ojos
        ogre | +Japanese ogre | =ogro japonés,demonio japonés
        goblin | +Japanese goblin | =duende japonés,máscara de demonio japonés
        two hearts | =pair of hearts,two hearts | =par de corazones,dos corazones
        hundred points | =hundred points symbol | =símbolo de cien puntos
        dizzy | =dizzy star,dizzy symbol | =estrella de mareo,símbolo de mareo
        dashing away | =dash of wind,puff of smoke | =ráfaga de humo
        ZZZ | =sleep symbol,ZZZ~ | =símbolo de sueño
        collision | =collision symbol,explosion | +explosión
        sweat droplets | =drops of sweat,sweat droplets | +
        raised back of hand | =back of a raised hand/backs of raised hands | =dorso de una mano levantada/dorsos de manos levantadas
        hand with fingers splayed | =hand with splayed fingers,open hand | =mano con los dedos abiertos,mano abierta
        vulcan salute | =Vulcan salute | +
        OK hand | =hand making an OK sign,OK hand | =mano haciendo la señal de aprobación
        thumbs up | =thumbs up sign,thumb pointing up | +
        thumbs down | =thumbs down sign,thumb pointing down | +
        nail polish | =hand with nail polish,nail polish~ | =mano con esmalte de uñas,esmalte de uñas~
        call me hand | =hand making a call me gesture,call me hand | +
        hand with index finger and thumb crossed | =hand with the index finger and thumb crossed | =mano con el índice y el pulgar cruzados
        selfie | =hand taking a selfie,selfie | =mano haciendo un selfi,selfi
        palms up together | =palms facing up | =palmas juntas hacia arriba
        person | + | =persona,persona adulta
        person: blond hair | =blond person,person with blond hair | =persona rubia
        person: beard | =bearded man,person with a beard | +
        child | + | =criatura,infante
        person gesturing NO | =person gesturing no | +
        person gesturing OK | =person gesturing OK | +
        person tipping hand | =person tipping a hand | =persona con la mano extendida
        person raising hand | =person raising a hand | +
        person wearing turban | =person wearing a turban | +
        person with crown | =person with a crown | =persona con una corona
        person with skullcap | =person with a skullcap | +
        woman with headscarf | =woman with a headscarf | +
        person in tuxedo | =person in a tuxedo | +
        person with veil | =person with a veil,bride | =persona con velo,novia
        breast-feeding | =woman breastfeeding a baby,breast-feeding woman | =mujer dando el pecho
        superhero | + | =superhéroe,personaje de superhéroe
        supervillain | + | =supervillano,personaje de supervillano
        mage | +wizard | =persona maga,mago
        merperson | +mermaid | =sirena,persona sirena
        Santa Claus | Santa Claus! | Papá Noel!
        Mrs. Claus | Mrs. Claus! | Mamá Noel!
        person in steamy room | =person in a steamy room | +
        person getting massage | =person getting a massage | =persona recibiendo un masaje
        person getting haircut | =person getting a haircut | +
        person in suit levitating | =levitating person in a suit | +
        person fencing | +fencer | =persona practicando esgrima
        horse racing | =jockey on a horse,racing horse and jockey | =jinete a caballo
        snowboarder | + | =persona haciendo snowboard,practicante de snowboard
        person rowing boat | =person rowing a boat | +
        person bouncing ball | =person bouncing a ball | +
        person cartwheeling | =person doing a cartwheel | +
        person in lotus position | =person in the lotus position,person meditating | =persona en la posición del loto
        person taking bath | =person taking a bath | +
        couple with heart | =couple with a heart | +
        kiss | =couple kissing | =pareja besándose
        bust in silhouette | =silhouette of a person,bust in silhouette | +
        busts in silhouette | =silhouettes of two people,busts in silhouette | =par de siluetas de bustos
        middle finger | + | =dedo corazón levantado/dedos corazón levantados
        index pointing up | =index finger pointing up | +
        index pointing at the viewer | =index finger pointing at the viewer | =dedo índice apuntando al frente
        backhand index pointing left | =hand pointing left,back of a hand pointing left | =mano señalando a la izquierda,dorso de una mano señalando a la izquierda
        backhand index pointing right | =hand pointing right,back of a hand pointing right | =mano señalando a la derecha,dorso de una mano señalando a la derecha
        backhand index pointing up | =hand pointing up,back of a hand pointing up | =mano señalando hacia arriba,dorso de una mano señalando hacia arriba
        backhand index pointing down | =hand pointing down,back of a hand pointing down | =mano señalando hacia abajo,dorso de una mano señalando hacia abajo
        high voltage | =lightning bolt,high voltage sign | =rayo,señal de alto voltaje
        kaaba | =Kaaba! | Kaaba!
        foggy | =foggy city,foggy bridge | =ciudad con niebla,bruma~
        hindu temple | =Hindu temple | +
        shinto shrine | =Shinto shrine | +
        night with stars | =starry night | +
        ferris wheel | =Ferris wheel | =noria,noria de feria
        fire | fire~,flame | fuego~,llama de fuego
        fog | fog~ | niebla~
        milky way | =Milky Way! | =Vía Láctea!
        star | +yellow star | =estrella,estrella amarilla
        crescent moon | + | =luna en forma de hoz
        water wave | =ocean wave,wave | +
        thread | =spool of thread,thread~ | =carrete de hilo,hilo
        yarn | ball of yarn,yarn~ | =ovillo de lana,ovillo
        speaker low volume | =speaker at low volume | +
        speaker medium volume | =speaker at medium volume | +
        speaker high volume | =speaker at high volume | +
        flower playing cards | =Japanese flower cards | +
        open file folder | + | =carpeta de archivos abierta/carpetas de archivos abiertas
        ear with hearing aid | =ear with a hearing aid | =oreja con un audífono
        face with steam from nose | =face with steam from the nose | +
        face with symbols on mouth | =face with symbols on the mouth | +
        pleading face | + | cara suplicante
        woman and man holding hands | =woman and man holding hands/women and men holding hands | =mujer y hombre de la mano
        hole | +black hole | +
        tanabata tree | =Tanabata tree | +
        moon viewing ceremony | =moon viewing scene,moon viewing ceremony | +
        performing arts | =theater masks | +
        1st place medal | =gold medal,first place medal | +
        2nd place medal | =silver medal,second place medal | +
        3rd place medal | =bronze medal,third place medal | +
        pool 8 ball | =eight ball,billiard ball | +
        video game | =video game controller | +
        game die | =die,game die | +
        bullseye | =bullseye target,dartboard | +
        spade suit | =spade | =pica de la baraja,palo de picas
        heart suit | =playing card heart | =corazón de la baraja,palo de corazones
        diamond suit | =playing card diamond | =diamante de la baraja,palo de diamantes
        club suit | =playing card club | =trébol de la baraja,palo de tréboles
        joker | joker card | =carta de comodín,comodín
        mahjong red dragon | =mahjong tile,mahjong red dragon tile | =ficha de mahjong,dragón rojo de mahjong
        headphone | headphones | =auriculares
        dvd | =DVD | =DVD,disco DVD
        optical disk | =CD,optical disk | =CD,disco óptico
        locked | =closed padlock,locked padlock | +
        unlocked | =open padlock,unlocked padlock | +
        locked with pen | =padlock with a pen | =candado con una pluma
        locked with key | =closed padlock with a key | =candado cerrado con llave
        dna | =DNA strand,DNA~ | =hebra de ADN
        x-ray | =X-ray,x-ray image | +
        hourglass done | =hourglass,finished hourglass | =reloj de arena,reloj de arena sin tiempo
        hourglass not done | =running hourglass,hourglass with flowing sand | =reloj de arena en marcha,reloj de arena con tiempo
        watch | wristwatch | =reloj de pulsera
        mobile phone with arrow | =mobile phone with an arrow | +
        e-mail | =e-mail envelope,e-mail symbol | =símbolo de correo electrónico
        envelope with arrow | =envelope with an arrow | +
        bell with slash | =bell with a slash | =campana tachada
        camera with flash | =camera with a flash | +
        chart increasing | =rising chart | =gráfica ascendente
        chart decreasing | =falling chart | =gráfica descendente
        chart increasing with yen | =rising chart with a yen sign | =gráfica ascendente con yen
        money with wings | =banknote with wings,money with wings~ | +
        luggage | =suitcase,luggage~ | =maleta,equipaje
        moai | +moai statue | +
        package | +cardboard box | +
        page with curl | =page with a curl | +
        page facing up | + | =página,página hacia arriba
        memo | =notepad with a pencil,memo | =hoja con un lápiz,cuaderno de notas
        adhesive bandage | +band-aid | +
        hot springs | =hot springs | =aguas termales
        water pistol | +toy gun | +
        ballot box with ballot | =ballot box with a ballot | +
        closed mailbox with raised flag | =closed mailbox with a raised flag | +
        closed mailbox with lowered flag | =closed mailbox with a lowered flag | +
        open mailbox with raised flag | =open mailbox with a raised flag | +
        open mailbox with lowered flag | =open mailbox with a lowered flag | +
        notebook with decorative cover | =notebook with a decorative cover | =cuaderno con tapa decorada
        heart with arrow | =heart with an arrow | +
        heart with ribbon | =heart with a ribbon | +
        sun behind cloud | =sun behind a cloud | +
        sun behind small cloud | =sun behind a small cloud | +
        sun behind large cloud | =sun behind a large cloud | +
        sun behind rain cloud | =sun behind a rain cloud | +
        umbrella on ground | =beach umbrella | =sombrilla de playa,sombrilla en la arena
        snowman | snowman in the snow | =muñeco de nieve bajo la nieve
        snowman without snow | =snowman,snowman without snow | =muñeco de nieve
        sun with face | =sun with a face | +
        kiss mark | +lipstick mark | +
        nazar amulet | + | =amuleto de ojo turco,ojo turco
        person golfing | +golfer | +
        battery | + | =pila,batería
        videocassette | +video tape | +
        squinting face with tongue | =squinting face with the tongue out | =cara con los ojos cerrados y la lengua fuera
        face with tongue | =face with the tongue out | +
        winking face with tongue | =winking face with the tongue out | +
        face with raised eyebrow | =face with a raised eyebrow | =cara con una ceja levantada
        face with open mouth | =face with an open mouth | +
        face with medical mask | =face with a medical mask | =cara con mascarilla,cara con mascarilla médica
        face with thermometer | =face with a thermometer | +
        face with head-bandage | =face with a head bandage | =cara con una venda en la cabeza
        face with monocle | =face with a monocle | +
        face with peeking eye | =face with a peeking eye | =cara tapada con un ojo espiando
        face with diagonal mouth | =face with a diagonal mouth | +
        smiling face with halo | =smiling face with a halo | +
        smiling face with tear | =smiling face with a tear | =cara sonriente con una lágrima
        cat with wry smile | =cat with a wry smile | +
        frowning face with open mouth | =frowning face with an open mouth | +
        cowboy hat face | =face with a cowboy hat | +
        """;
}
